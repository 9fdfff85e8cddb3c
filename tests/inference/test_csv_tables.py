"""CSV and TSV: what was there stays, byte for byte."""

import csv
import io
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stance.errors import DataError
from stance.inference import MAX_CHARACTERS, delimited, predict_file

ANTI = "We will never hand over our guns."
PRO = "They must lay down their weapons."
NEW = "label,p_anti,p_neutral,p_pro"


@pytest.fixture
def scored(rewritten):
    """A function of the bytes of a table: the bytes of the scored table and the summary."""
    return partial(rewritten, ".csv")


@pytest.fixture
def refused(tmp_path, predictor, monkeypatch):
    """A function of the bytes of a table that cannot be scored: the message."""
    monkeypatch.chdir(tmp_path)

    def run(table, suffix=".csv", **options):
        (tmp_path / f"in{suffix}").write_bytes(table)
        with pytest.raises(DataError) as caught:
            predict_file(f"in{suffix}", f"out{suffix}", predictor, **options)
        assert sorted(path.name for path in tmp_path.iterdir()) == [f"in{suffix}"]
        return str(caught.value)

    return run


def test_a_table_gets_four_columns_behind_its_own(scored, fields):
    table = f"id,text\n007,{ANTI}\n008,{PRO}\n"
    expected = f"id,text,{NEW}\n007,{ANTI},{fields(ANTI)}\n008,{PRO},{fields(PRO)}\n"
    output, summary = scored(table.encode())
    assert output.decode() == expected
    assert (summary.rows, summary.scored, summary.missing, summary.cut) == (2, 2, {}, 0)
    assert summary.labels == {"anti": 1, "neutral": 0, "pro": 1}
    assert summary.seconds > 0


def test_tabs_separate_a_tsv(scored, fields):
    output, _ = scored(f"text\tid\n{ANTI}\t1\n\t2\n".encode(), ".tsv")
    answer = fields(ANTI).replace(",", "\t")
    assert output.decode() == f"text\tid\t{NEW}\n{ANTI}\t1\t{answer}\n\t2\t\t\t\t\n".replace(
        NEW, NEW.replace(",", "\t")
    )


def test_quotes_line_breaks_and_damaged_bytes_of_other_columns_stay_as_they_are(scored, fields):
    row = b'00.50,"a ""b"", c\r\nd",\xff\xfe\0,=1+1,"plain",x"y,' + ANTI.encode()
    output, summary = scored(b"n,a,b,c,d,e,text\n" + row + b"\n")
    assert output == b"n,a,b,c,d,e,text," + NEW.encode() + b"\n" + row + f",{fields(ANTI)}\n".encode()
    assert summary.scored == 1


def test_the_text_is_read_without_its_quotation_marks(scored, fields):
    output, _ = scored(b'text\n"We, ""the people"",\nwill never hand over our guns."\n')
    answer = fields('We, "the people",\nwill never hand over our guns.')
    assert output.decode() == f'text,{NEW}\n"We, ""the people"",\nwill never hand over our guns.",{answer}\n'


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_the_line_ending_is_kept(scored, fields, ending):
    output, _ = scored(f"text{ending}{ANTI}{ending}{PRO}{ending}".encode())
    lines = [f"text,{NEW}", f"{ANTI},{fields(ANTI)}", f"{PRO},{fields(PRO)}"]
    assert output.decode() == "".join(line + ending for line in lines)


def test_a_last_line_without_a_line_ending_stays_without(scored, fields):
    assert scored(f"text\r\n{ANTI}".encode())[0].decode() == f"text,{NEW}\r\n{ANTI},{fields(ANTI)}"


@pytest.mark.parametrize("name", ["text", '"text"'])
def test_a_byte_order_mark_hides_no_column_and_is_kept(scored, fields, name):
    output, _ = scored(f"\ufeff{name},id\n{ANTI},1\n".encode())
    assert output.decode() == f"\ufeff{name},id,{NEW}\n{ANTI},1,{fields(ANTI)}\n"


def test_a_header_alone_gets_the_new_columns(scored):
    output, summary = scored(b"id,text\n")
    assert output.decode() == f"id,text,{NEW}\n"
    assert (summary.rows, summary.scored, summary.missing) == (0, 0, {})


def test_empty_lines_are_copied_and_are_no_rows(scored, fields):
    output, summary = scored(f"\nid,text\n\n1,{ANTI}\n\n".encode())
    assert output.decode() == f"\nid,text,{NEW}\n\n1,{ANTI},{fields(ANTI)}\n\n"
    assert summary.rows == 1


def test_rows_that_cannot_be_scored_stay_and_are_counted_by_reason(scored, fields):
    rows = [b"1,", b'2," \n"', b"3,caf\xe9", b"4,a\0b", b"5", b"6,a,b", b"7," + ANTI.encode(), b""]
    output, summary = scored(b"\n".join([b"id,text", *rows]))
    expected = [b"1,", b'2," \n"', b"3,caf\xe9", b"4,a\0b", b"5,", b'6,"a,b"']
    answered = b"7," + ANTI.encode() + b"," + fields(ANTI).encode()
    assert output == b"\n".join([b"id,text," + NEW.encode(), *(row + b",,,," for row in expected), answered, b""])
    assert summary.missing == {"blank": 2, "invalid UTF-8": 1, "NUL byte": 1, "wrong number of fields": 2}
    assert (summary.rows, summary.scored) == (7, 1)


def test_surplus_fields_survive_in_the_last_one(scored):
    output, _ = scored(b'text,"b"\nx,"q""\r",a\tb,"c\n"\n')
    header, row = csv.reader(io.StringIO(output.decode(), newline=""))
    assert header == ["text", "b", *NEW.split(",")]
    assert row == ["x", 'q"\r,a\tb,c\n', "", "", "", ""]


def test_the_prefix_goes_in_front_of_the_new_names(scored, fields):
    output, _ = scored(f"label,text\nx,{ANTI}\n".encode(), prefix="pred,")
    names = '"pred,label","pred,p_anti","pred,p_neutral","pred,p_pro"'
    assert output.decode() == f"label,text,{names}\nx,{ANTI},{fields(ANTI)}\n"


def test_columns_of_one_name_are_fine_beside_the_text(scored, fields):
    assert scored(f"a,a,text\n1,2,{ANTI}\n".encode())[0].decode() == f"a,a,text,{NEW}\n1,2,{ANTI},{fields(ANTI)}\n"


def test_a_text_of_a_megabyte_is_scored_and_counted_as_cut(scored, fields):
    text = "We will never hand over our guns, " * 31_000
    output, summary = scored(f'text,id\n"{text}",1\n{ANTI},2\n'.encode())
    assert output.decode() == f'text,id,{NEW}\n"{text}",1,{fields(text[:MAX_CHARACTERS])}\n{ANTI},2,{fields(ANTI)}\n'
    assert (summary.rows, summary.scored, summary.cut) == (2, 2, 1)


def test_small_batches_give_the_same_table_and_report_each(scored):
    table = "id,text\n" + "".join(f"{number},{ANTI} {number}\n" for number in range(10))
    whole, _ = scored(table.encode())
    seen = []
    assert scored(table.encode(), batch_rows=4, progress=seen.append)[0] == whole
    assert seen == [4, 4, 2]


def test_long_rows_fill_a_batch_early(scored):
    row = '"' + "x " * 1_500_000 + '"\n'
    seen = []
    scored(f"text\n{row * 3}".encode(), progress=seen.append)
    assert seen == [2, 1]


def test_the_limit_of_the_csv_module_is_put_back(scored, refused):
    before = csv.field_size_limit(1234)
    try:
        refused(b"texts\na\n")
        assert csv.field_size_limit() == 1234
        scored(b"text\na\n")
        assert csv.field_size_limit() == 1234
    finally:
        csv.field_size_limit(before)


def test_a_missing_column_is_named_beside_those_that_are_there(refused):
    assert refused(b"id,texts\n1,a\n") == (
        "in.csv: expected a column 'text', got the columns 'id', 'texts'. "
        "Name one with --text-column. Did you mean 'texts'?"
    )


def test_a_long_header_is_not_listed_in_full(refused):
    names = ",".join(str(number) for number in range(100, 125))
    shown = ", ".join(repr(str(number)) for number in range(100, 120))
    assert refused(f"{names}\n".encode()) == (
        f"in.csv: expected a column 'text', got the columns {shown} and 5 more. Name one with --text-column."
    )


def test_two_columns_of_the_texts_name_are_refused(refused):
    assert refused(b"text,id,text\na,1,b\n") == (
        "in.csv: expected one column 'text', got 2 of that name. Rename the others."
    )


def test_a_new_column_that_is_there_is_refused(refused):
    assert refused(b"text,label,p_pro\na,1,2\n") == (
        "in.csv: expected no column 'label' or 'p_pro' yet, got one. Give --prefix pred_"
    )
    assert refused(b"text,pred_label\na,1\n", prefix="pred_") == (
        "in.csv: expected no column 'pred_label' yet, got one. Give another --prefix."
    )


def test_an_empty_file_is_refused(refused):
    assert refused(b"") == "in.csv: expected a table or lines of text, got an empty file. Check what wrote it."


def test_a_file_of_empty_lines_is_refused(refused):
    assert refused(b"\n\n") == (
        "in.csv: expected a header line, got empty lines only. Put the names of the columns first."
    )


def test_utf_16_is_refused(refused):
    assert refused("text\na\n".encode("utf-16")) == (
        "in.csv: expected text in UTF-8, got UTF-16. Save or convert it as UTF-8."
    )


def test_a_quotation_mark_that_is_never_closed_is_refused(refused):
    assert refused(b'id,text\n1,"a\nb"\n2,"c\n3,d\n4,e\n') == (
        "in.csv:4: expected a closing quotation mark, got the end of the file. "
        "Close or double the quotation mark that stands open in this row."
    )


def test_a_quotation_mark_that_swallows_a_large_file_is_refused(refused):
    rows = b"2,a row like any other of the many that follow\n" * 400_000
    assert refused(b'id,text\n1,"a\n' + rows) == (
        "in.csv:2: expected a row of the table, got field larger than field limit (16777216). "
        "Close or double a quotation mark that stands open in this row."
    )


def test_a_line_without_end_is_refused(refused, monkeypatch):
    monkeypatch.setattr(delimited, "MAX_LINE", 1000)
    assert refused(b"text\n" + b"a," * 1000) == (
        "in.csv:2: expected a line break, got 1,000 characters without. Is it a text file? Break its lines."
    )


# Bytes that are no UTF-8 come out of a decoder as the surrogates DC80 to DCFF; a csv.writer quotes what needs it.
FIELD = st.text(
    st.one_of(
        st.sampled_from(list('",;\t\r\n\0\ufeff =é𝄞\u2028\x1c\x85')),
        st.characters(max_codepoint=127),
        st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]),
    ),
    max_size=8,
)
TABLES = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(FIELD, min_size=width, max_size=width), max_size=6))


def parsed(table, delimiter):
    text = table.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=TABLES,
    suffix=st.sampled_from([".csv", ".tsv"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_any_table_comes_back_in_the_input_columns(scored, rows, suffix, quoting, mark):
    delimiter = "," if suffix == ".csv" else "\t"
    width = len(rows[0]) if rows else 2
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerows([["text", *(f"c{i}" for i in range(1, width))], *rows])
    table = (mark + out.getvalue()).encode("utf-8", "surrogateescape")
    output, summary = scored(table, suffix, batch_rows=2)
    after = parsed(output, delimiter)
    assert [row[:width] for row in after] == parsed(table, delimiter)
    assert {len(row) for row in after} == {width + 4}
    assert summary.rows == len(rows) == summary.scored + sum(summary.missing.values())
    assert output.startswith(mark.encode())
