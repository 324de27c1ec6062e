"""The accountants' pages: HTML over the same services and schemas as the API.

A file is a noun, as the address begins: payments.py has /payments, its pages are templates/payments/. Below them:

    registering.py  the pages become part of an app
    pages.py        @page("/payments"): who may see it, what a page is sent with, the frame
    sign_in.py      /, /sign-in, /sign-out, /language
    sessions.py     who is signed in (store.py: the collection `sessions`), bound to the key
    security.py     headers of every page; a form comes from our own pages
    problems.py     a failure as a page
    exports.py      a list as files, as the API streams them (files.py: one that is made in the background)
    lists.py        a list of the API as a page: filters, order and place in the URL
    forms.py        a form: what was typed, what is wrong with it, sent once
    formats.py      amounts, days and instants as the reader writes them; amounts as typed, read exactly
    languages.py    whose language; French in fr.po, what the API says of an error too
    cells.py        rows of tables, written in Python: a list has hundreds of cells
    asking.py       pages that ask before something is changed
    words.py        what the choices of the API are called
    static_files.py the style sheet, the script, the icon

A page has no rule, limit or sum of its own: what it shows and stores is what the API would.
"""
