"""A run's page: one self-contained HTML file, built from the run folder alone.

`files` reads the folder, `witness` draws the databases on which queries differ, `charts` draws SVG, `figures` draws
the run's figures with it, and `page` puts all together with `page.html`, `macros.html`, `style.css` and `filter.js`.
`sweep` does the same for a sweep, with `sweep.html`.
"""

from tinkersql.report.page import build
from tinkersql.report.sweep import build_sweep

__all__ = ["build", "build_sweep"]
