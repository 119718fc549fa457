"""The site: pages, data files and themes, drawn from a dataset alone (`atlas.render.site`)."""
