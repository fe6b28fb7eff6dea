from routed.plumbing.manual import Item, Section, page


def test_a_page_is_written_in_the_macros_of_manual_pages() -> None:
    sections = [
        Section("OPTIONS", ("One - of `a-b`.", "Two \\ of it."), (Item("-f", ".conf is usual", "FILE"),)),
        Section("More", is_sub=True),
    ]
    assert page("tool", 8, "does things - well", sections).splitlines() == [
        '.TH TOOL 8 "" "routed-flowcorr"',
        ".SH NAME",
        "tool \\- does things \\- well",
        ".SH OPTIONS",
        "One \\- of \\fBa\\-b\\fR.",
        ".PP",
        "Two \\e of it.",
        ".TP",
        "\\fB\\-f\\fR \\fIFILE\\fR",
        "\\&.conf is usual",
        ".SS More",
    ]
