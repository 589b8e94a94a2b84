"""Settings: what is right is used, what is wrong is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradsight.session import config
from gradsight.session.config import load_config, load_settings, read_client_settings


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are checked against the registry; these tests need two known ones, whichever rules exist."""
    monkeypatch.setattr(config, "ALL_RULES", {"no-grad-block": object(), "inplace-on-saved": object()})


def write(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_nearest_pyproject_with_a_table_counts(tmp_path: Path) -> None:
    write(tmp_path, '[tool.gradsight]\nignore = ["no-grad-block"]\nmin-confidence = "likely"\n')
    inner = tmp_path / "pkg" / "sub"
    inner.mkdir(parents=True)
    write(tmp_path / "pkg", '[project]\nname = "x"\n')
    settings, problems = load_settings(inner)
    assert settings.ignore == {"no-grad-block"}
    assert settings.min_confidence == "likely"
    assert problems == []
    assert load_config(inner / "train.py").source == tmp_path / "pyproject.toml"


def test_mistakes_are_sentences_and_the_rest_is_used(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[tool.gradsight]\nselect = ["no-grad-blok"]\nignore = 3\nloss-path-hints = false\ncolour = "red"\n'
        '[tool.gradsight.verify]\ntimeout = "long"\ndevice = "cpu"\npython = ".venv/bin/python"\n',
    )
    config_read = load_config(tmp_path)
    assert not config_read.settings.loss_path_hints
    assert config_read.verify.device == "cpu"
    assert config_read.verify.python == str(tmp_path / ".venv/bin/python")
    text = "\n".join(config_read.problems)
    assert len(config_read.problems) == 4
    assert "unknown rule `no-grad-blok` (did you mean `no-grad-block`?)" in text
    assert "`ignore` must be a list of strings" in text
    assert "unknown option `colour`" in text
    assert "`verify.timeout` must be a positive number of seconds" in text


@pytest.mark.parametrize("content", [b"[tool.gradsight\n", b"\xff\xfe", b"[tool]\ngradsight = 3\n"])
def test_a_broken_file_is_one_problem(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)
    settings, problems = load_settings(tmp_path)
    assert settings == config.Settings()
    assert len(problems) == 1 and "pyproject.toml" in problems[0]


def test_client_settings_nested_dotted_and_wrapped() -> None:
    for value in (
        {"lint": {"select": ["inplace-on-saved"]}, "minConfidence": "certain"},
        {"lint.select": ["inplace-on-saved"], "minConfidence": "certain"},
        {"gradsight": {"lint": {"select": ["inplace-on-saved"]}, "minConfidence": "certain"}},
    ):
        settings, problems = read_client_settings(value)
        assert problems == []
        assert settings.select == {"inplace-on-saved"} and settings.min_confidence == "certain"


@pytest.mark.parametrize("value", [[], 3, "x", {"lint": {"select": "no-grad-block"}}, {"verify": {"timeout": -1}}])
def test_malformed_client_settings_are_problems(value: object) -> None:
    settings, problems = read_client_settings(value)
    assert settings == config.ClientSettings()
    assert len(problems) == 1


def test_unset_editor_options_leave_the_word_to_pyproject() -> None:
    project = config.Settings(select=frozenset({"no-grad-block"}), min_confidence="likely")
    client, _ = read_client_settings(
        {"lint": {"select": [], "ignore": ["inplace-on-saved"]}, "minConfidence": "possible"}
    )
    merged = client.over(project)
    assert merged.select == {"no-grad-block"}
    assert merged.ignore == {"inplace-on-saved"}
    assert merged.min_confidence == "likely"
    assert config.VerifyConfig(timeout=5).over(config.VerifyConfig(device="cpu", timeout=9)) == config.VerifyConfig(
        device="cpu", timeout=5
    )


def test_a_time_limit_taken_back_leaves_the_word_to_pyproject() -> None:
    limited, _ = read_client_settings({"verify": {"timeout": 5}})
    assert limited.verify.timeout == 5
    again, problems = read_client_settings({"verify": {"timeout": None}}, limited)
    assert again.verify.timeout is None and not problems
