import pytest

from tests.support.fake_stages import FakeStages, make_source


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    return make_source(tmp_path_factory.mktemp("source") / "data")


@pytest.fixture
def fakes(source, monkeypatch):
    stages = FakeStages(source)
    stages.install(monkeypatch)
    return stages
