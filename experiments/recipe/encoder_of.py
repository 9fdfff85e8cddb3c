"""Write the fine-tuned encoder of a saved model as a folder that a config may name as its `encoder`.

Run: python experiments/recipe/encoder_of.py MODEL FOLDER   (such as experiments/models/newsmtsc-encoder)

So a training can go on where another task ended (an intermediate task: Phang et al. 2018,
https://arxiv.org/abs/1811.01088). The head stays behind.
"""

import sys
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from stance.models import load
from stance.models.transformer import Transformer


def main(model: Path, folder: Path) -> None:
    """Write config, weights and tokenizer of the first member."""
    saved = load(model, "torch").model
    assert isinstance(saved, Transformer)
    saved.networks[0].encoder.save_pretrained(folder)
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    file = str(model / "tokenizer.json")
    PreTrainedTokenizerFast(tokenizer_file=file, mask_token=saved.mask, **special).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
