"""Puts `saved_models/` into the wheel as a folder of the package; the rest is in pyproject.toml."""

from setuptools import find_packages, setup

MODELS = "keras_shr.saved_models"

setup(
    packages=[*find_packages(include=["keras_shr*"]), MODELS],
    package_dir={MODELS: "saved_models"},
    package_data={"keras_shr": ["py.typed"], MODELS: ["*.keras", "README.md"]},
)
