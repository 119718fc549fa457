"""Is a dataset or a site whole? Both checks read everything and return problems, one line each."""

from atlas.check.dataset import check_dataset
from atlas.check.site import check_site

__all__ = ["check_dataset", "check_site"]
