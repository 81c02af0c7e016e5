"""Templates as Go runs them; each expectation was read off the docker command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.cli.gotemplate.errors import ExecError, ParseError
from havre.cli.gotemplate.template import Template
from havre.cli.listing import Row

DATA = {
    "Name": "/box",
    "A": {"B": [1, 2, "x"], "C": None, "M": {"b": True, "a": "v"}},
    "State": {"Running": True, "Pid": 0, "Ratio": 0.5},
    "Empty": [],
}


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("plain", "plain"),
        ("{{.Name}}", "/box"),
        ("{{.A.B}} {{.A.M}}", "[1 2 x] map[a:v b:true]"),
        ("{{json .A}}", '{"B":[1,2,"x"],"C":null,"M":{"b":true,"a":"v"}}'),
        ("{{range .A.B}}<{{.}}>{{end}}", "<1><2><x>"),
        ("{{range $i, $v := .A.B}}{{$i}}={{$v}} {{end}}", "0=1 1=2 2=x "),
        ("{{range $k, $v := .A.M}}{{$k}}={{$v}} {{end}}", "a=v b=true "),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{range .A.B}}{{if eq . 2}}{{continue}}{{end}}{{.}}{{end}}", "1x"),
        ("{{if .State.Pid}}a{{else if .State.Running}}b{{else}}c{{end}}", "b"),
        ("{{with .A.C}}x{{else}}y{{end}}", "y"),
        ("{{with .A.M}}{{.a}}{{end}}", "v"),
        ('{{index .A.M "a"}} {{index .A.B 1}} {{len .A.B}}', "v 2 3"),
        ('{{.Name | upper | printf "%-8s|"}}', "/BOX    |"),
        ('{{join .A.B ","}} {{slice .Name 1}} {{title "two words"}}', "1,2,x box Two Words"),
        ('{{printf "%q %d %5.2f %t %v" "a" 3 2.5 true .A.B}}', '"a" 3  2.50 true [1 2 x]'),
        ("a  {{- .Name -}}  b", "a/boxb"),
        ("{{/* nothing */}}x", "x"),
        ("{{$x := .Name}}{{$x}}{{$x = 1}}{{$x}}", "/box1"),
        ("{{and .Name .A.C}} {{or .A.C .Name}} {{not .A.C}}", "<no value> /box true"),
        ('{{eq "a" "b" "a"}} {{ne 1 2}} {{lt 1 2}} {{ge "b" "a"}}', "true true true true"),
        ("{{.A.C}} {{.State.Ratio}}", "<no value> 0.5"),
        ('{{println "a" 1 true}}{{print 1 2 "x" 3}}', "a 1 true\n1 2x3"),
        ('{{(index .A.B 2) | upper}} {{len (split "a,b" ",")}}', "X 2"),
        ('{{pad "x" 1 2}}|{{truncate "long" 2}}', " x  |lo"),
        ('{{"a\\tb"}}{{`raw\\t`}}', "a\tbraw\\t"),
    ],
)
def test_what_a_template_shows(source: str, shown: str) -> None:
    assert Template(source).render(DATA) == shown


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{.Name", "template: :1: unclosed action"),
        ("{{if}}", "template: :1: missing value for if"),
        ("{{nosuch .}}", 'template: :1: function "nosuch" not defined'),
        ("{{if .A}}x", "template: :1: unexpected EOF"),
        ("x{{end}}", "template: :1: unexpected {{end}}"),
        ("\n{{range}}", "template: :2: missing value for range"),
    ],
)
def test_what_is_no_template(source: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        Template(source)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{.X}}", 'template: :1:2: executing "" at <.X>: map has no entry for key "X"'),
        ("{{.Name.X}}", 'template: :1:2: executing "" at <.Name.X>: can\'t evaluate field X in type string'),
        ("{{index .A.B 9}}", 'template: :1:2: executing "" at <index>: error calling index: index out of range: 9'),
        ("{{range .Name}}{{end}}", 'template: :1:8: executing "" at <.Name>: range can\'t iterate over /box'),
    ],
)
def test_what_does_not_fit(source: str, message: str) -> None:
    with pytest.raises(ExecError) as caught:
        Template(source).render(DATA)
    assert str(caught.value) == message


@given(st.text(alphabet='{}.$|()"`ab 1-:=,/*\n', max_size=40))
def test_any_text_is_a_template_or_told_not_to_be(source: str) -> None:
    try:
        Template(source).render(DATA)
    except (ParseError, ExecError):
        return


def test_a_row_as_json_has_all_its_placeholders() -> None:
    row = Row({"Name": "box", "Pid": lambda: 3, "Label": lambda: "called by templates only"}, "formatter.Any")
    assert Template("{{json .}}").render(row) == '{"Name":"box","Pid":3}'


def test_fields_go_by_the_names_of_dockers_types_too() -> None:
    data = {"Id": "abc", "Server": {"ApiVersion": "1.50"}, "Labels": {"Id": "x", "api": "y"}}
    assert Template("{{.ID}} {{.Id}} {{.Server.APIVersion}}").render(data) == "abc abc 1.50"
    for source in ("{{.id}}", "{{.Labels.API}}", "{{.Server.Apiversion}}"):
        with pytest.raises(ExecError, match="map has no entry"):
            Template(source).render(data)
