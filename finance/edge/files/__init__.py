"""Tables as files: what stands in a cell, CSV, XLSX, and how the reader wants them."""
