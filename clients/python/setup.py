"""What pyproject.toml cannot say: irrepd-ase.pth goes beside the package, where Python reads it."""

from __future__ import annotations

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithPth(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.copy_file("irrepd-ase.pth", self.build_lib)


setup(cmdclass={"build_py": BuildWithPth})
