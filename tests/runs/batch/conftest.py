"""Videos that all tests of batches share."""

import pytest
from batch_world import make_videos


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return make_videos(tmp_path_factory.mktemp("batch"), 6)
