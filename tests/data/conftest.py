"""Copies of the small data sets, one for each test to read or damage."""

import shutil

import pytest

from tests.small_sets import make_coco, make_folder, make_rhd, make_stb


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """RHD and STB, made once."""
    root = tmp_path_factory.mktemp("templates")
    make_rhd(root / "RHD_published_v2")
    make_stb(root / "STB")
    return root


@pytest.fixture
def rhd_root(tmp_path, templates):
    return shutil.copytree(templates / "RHD_published_v2", tmp_path / "RHD_published_v2")


@pytest.fixture
def stb_root(tmp_path, templates):
    return shutil.copytree(templates / "STB", tmp_path / "STB")


@pytest.fixture
def coco_root(tmp_path):
    make_coco(tmp_path)
    return tmp_path


@pytest.fixture
def folder_root(tmp_path):
    make_folder(tmp_path / "mine")
    return tmp_path / "mine"
