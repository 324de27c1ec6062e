"""Tables as people save them from a spreadsheet, whatever is in them: `reading` is what others use."""
