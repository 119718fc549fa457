"""From a configuration to a site: the stages of a build, in order, each run only where it is needed."""

from atlas.pipeline.build import BuildReport, build
from atlas.pipeline.job import Job, Progress, Silence
from atlas.pipeline.site import render_config, render_dataset

__all__ = ["BuildReport", "Job", "Progress", "Silence", "build", "render_config", "render_dataset"]
