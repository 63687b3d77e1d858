"""Runs one scenario folder: python3 -m lib.main NAME, from Tests/Scenarios."""

import importlib.util
import pathlib
import sys

from lib.scenario import Scenario

folder = pathlib.Path(__file__).resolve().parents[1] / sys.argv[1]
specification = importlib.util.spec_from_file_location("scenario", folder / "scenario.py")
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
sys.exit(Scenario(folder).conduct(module.run))
