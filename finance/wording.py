"""What people read in their language: English or French. The one place of such texts, for files and for pages to come.

A column of a file is called by its name in the API; what isn't listed here is that name, made readable.
"""

from collections.abc import Mapping
from typing import Literal, get_args

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_SHEET_NAME_MAX = 31
_NOT_IN_SHEET_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\'", " "))


def say(key: str, language: Language, **values: object) -> str:
    """Return a text of ours in a language, with `values` in their places."""
    return _TEXTS[key][LANGUAGES.index(language)].format(**values)


def column_title(name: str, language: Language) -> str:
    """Return what a column, a filter or a table is called."""
    known = _NAMES.get(name)
    return known[LANGUAGES.index(language)] if known else name.replace("_", " ").capitalize()


def sheet_title(name: str, language: Language) -> str:
    """Return what the sheet of a table is called, in what a spreadsheet takes for a name."""
    return column_title(name, language).translate(_NOT_IN_SHEET_NAMES)[:_SHEET_NAME_MAX]


_TEXTS: Mapping[str, tuple[str, str]] = {
    "about": ("About this file", "À propos du fichier"),
    "totals": ("Totals", "Totaux"),
    "table": ("Table", "Table"),
    "tenant": ("Tenant", "Organisation"),
    "by": ("Made with the key", "Établi avec la clé"),
    "as_of": ("As of (begun)", "Situation au (début)"),
    "read_until": ("Read until", "Lu jusqu'au"),
    "filter": ("Filter", "Filtre"),
    "no_filter": ("none: every row", "aucun : toutes les lignes"),
    "sort": ("Order", "Tri"),
    "ascending": ("{name}, ascending", "{name}, croissant"),
    "descending": ("{name}, descending", "{name}, décroissant"),
    "zone": ("Times are those of", "Heures de"),
    "rows": ("Rows", "Lignes"),
    "total_of": ("Total of {column}, {currency}", "Total de {column}, {currency}"),
    "sha256": ("SHA-256 of the rows", "SHA-256 des lignes"),
    "check": ("How to check it", "Comment le vérifier"),
    "check_how": (
        "docs/exports.md: each row as a JSON list of its texts, one a line, in UTF-8.",
        "docs/exports.md : chaque ligne comme liste JSON de ses textes, une par ligne, en UTF-8.",
    ),
    "long_amounts": (
        "Amounts of more than 15 digits, kept as text (a SUM leaves them out, Totals doesn't)",
        "Montants de plus de 15 chiffres, gardés en texte (une SOMME les omet, les Totaux non)",
    ),
    "cut_texts": ("Texts cut at 32,767 characters", "Textes coupés à 32 767 caractères"),
    "count": ("Count", "Nombre"),
    "broken": (
        "THIS FILE IS NOT COMPLETE: something failed after {rows} rows. Ask for it again.",
        "CE FICHIER EST INCOMPLET : une erreur est survenue après {rows} lignes. Redemandez-le.",
    ),
    "end": ("END", "FIN"),
}

_NAMES: Mapping[str, tuple[str, str]] = {
    # tables
    "payments": ("Payments", "Paiements"),
    "invoices": ("Invoices", "Factures"),
    "credit_notes": ("Credit notes", "Avoirs"),
    "customers": ("Customers", "Clients"),
    "allocations": ("Allocations", "Affectations"),
    "customer_payments": ("Payments of a customer", "Paiements d'un client"),
    "audit_events": ("Audit events", "Journal d'audit"),
    "statement": ("Statement", "Relevé"),
    "ageing": ("Ageing", "Balance âgée"),
    # columns and filters
    "payment_number": ("Payment number", "N° de paiement"),
    "invoice_number": ("Invoice number", "N° de facture"),
    "credit_note_number": ("Credit note number", "N° d'avoir"),
    "previous_number": ("Earlier number", "Ancien numéro"),
    "previous_numbers": ("Earlier numbers", "Anciens numéros"),
    "paid_on": ("Paid on", "Payé le"),
    "paid_from": ("Paid from", "Payé à partir du"),
    "paid_to": ("Paid to", "Payé jusqu'au"),
    "issued_on": ("Issued on", "Date d’émission"),
    "issued_from": ("Issued from", "Émission à partir du"),
    "issued_to": ("Issued to", "Émission jusqu’au"),
    "due_on": ("Due on", "Échéance"),
    "due_from": ("Due from", "Échéance à partir du"),
    "due_to": ("Due to", "Échéance jusqu'au"),
    "on": ("Counts from", "Compte à partir du"),
    "direction": ("Direction", "Sens"),
    "amount": ("Amount", "Montant"),
    "min_amount": ("Amount from", "Montant à partir de"),
    "max_amount": ("Amount to", "Montant jusqu'à"),
    "signed_amount": ("Signed amount", "Montant signé"),
    "currency": ("Currency", "Devise"),
    "payer": ("Payer", "Payeur"),
    "method": ("Method", "Mode"),
    "customer_code": ("Customer code", "Code client"),
    "customer_name": ("Customer name", "Nom du client"),
    "customer_category": ("Category", "Catégorie"),
    "reference": ("Reference", "Référence"),
    "note": ("Note", "Note"),
    "notes": ("Notes", "Notes"),
    "status": ("Status", "État"),
    "void_reason": ("Void reason", "Motif d'annulation"),
    "voided_at": ("Voided at", "Annulé le"),
    "created_at": ("Recorded at", "Enregistré le"),
    "created_by": ("Recorded by (key)", "Enregistré par (clé)"),
    "created_by_name": ("Recorded by", "Enregistré par"),
    "updated_at": ("Changed at", "Modifié le"),
    "id": ("Id", "Id"),
    "shop": ("Shop", "Boutique"),
    "total_net": ("Net", "HT"),
    "total_tax": ("Tax", "Taxe"),
    "total": ("Total", "TTC"),
    "amount_paid": ("Paid", "Payé"),
    "amount_credited": ("Credited", "Avoirs déduits"),
    "outstanding": ("Outstanding", "Reste dû"),
    "min_outstanding": ("Outstanding from", "Reste dû à partir de"),
    "overdue": ("Overdue", "En retard"),
    "description": ("Description", "Désignation"),
    "quantity": ("Quantity", "Quantité"),
    "unit_price": ("Unit price", "Prix unitaire HT"),
    "tax_rate": ("Tax, %", "Taxe, %"),
    "discount": ("Discount", "Remise"),
    "lines": ("Lines", "Lignes"),
    "net": ("Net", "HT"),
    "rate": ("Rate", "Taux"),
    "tax": ("Tax", "Taxe"),
    "month": ("Month", "Mois"),
    "customer_address": ("Address of the customer", "Adresse du client"),
    "customer_gstin": ("GSTIN of the customer", "GSTIN du client"),
    "customer_pan_number": ("PAN of the customer", "PAN du client"),
    "cancel_reason": ("Reason of the cancellation", "Motif de l'annulation"),
    "allocated": ("Allocated", "Affecté"),
    "unallocated": ("Unallocated", "Non affecté"),
    "reason": ("Reason", "Motif"),
    "other_customer_code": ("Customer of the other", "Client de l'autre"),
    "credit_note_allocations": ("Allocations of credit notes", "Affectations d'avoirs"),
    "gstins": ("GSTIN", "GSTIN"),
    "account_numbers": ("Account numbers", "Comptes bancaires"),
    "tds_section": ("TDS section", "Section TDS"),
    "payment_terms_days": ("Payment terms (days)", "Délai de paiement (jours)"),
    "credit_limit": ("Credit limit", "Plafond de crédit"),
    "status_reason": ("Reason of the status", "Motif de l'état"),
    "from_kind": ("Given by", "Origine"),
    "contact_person": ("Contact", "Contact"),
    "email_address": ("E-mail", "E-mail"),
    "contact_number": ("Telephone", "Téléphone"),
    "pan_number": ("PAN", "PAN"),
    "at": ("At", "Instant"),
    "at_from": ("From", "À partir de"),
    "at_to": ("To", "Jusqu'à"),
    "by": ("By (key)", "Par (clé)"),
    "by_name": ("By", "Par"),
    "address": ("Address", "Adresse"),
    "action": ("Action", "Action"),
    "object_kind": ("Kind of object", "Type d'objet"),
    "object_id": ("Object", "Objet"),
    "details": ("Details", "Détails"),
    "date": ("Date", "Date"),
    "kind": ("Kind", "Type"),
    "number": ("Number", "Numéro"),
    "debit": ("Debit", "Débit"),
    "credit": ("Credit", "Crédit"),
    "balance": ("Balance", "Solde"),
    "current": ("Not due yet", "Non échu"),
    "days_1_30": ("1–30 days", "1–30 jours"),
    "days_31_60": ("31–60 days", "31–60 jours"),
    "days_61_90": ("61–90 days", "61–90 jours"),
    "days_over_90": ("Over 90 days", "Plus de 90 jours"),
    "unallocated_credit": ("Unallocated credit", "Crédit non affecté"),
    "name": ("Name", "Nom"),
    "role": ("Role", "Rôle"),
    "key_id": ("Id of the key", "Id de la clé"),
    "expires_at": ("Valid until", "Valable jusqu'au"),
    "last_used_at": ("Last use", "Dernière utilisation"),
    "revoked_at": ("Revoked at", "Révoquée le"),
    "sessions": ("Sessions", "Sessions"),
    "timezone": ("Time zone", "Fuseau horaire"),
    "invoice_format": ("Invoice numbers", "Numéros de facture"),
    "credit_note_format": ("Credit note numbers", "Numéros d'avoir"),
    "reset": ("Numbers begin again", "Les numéros recommencent"),
    "max_length": ("Longest number", "Longueur maximale d'un numéro"),
    "fiscal_year_start_month": ("First month of the fiscal year", "Premier mois de l'exercice"),
    "issue_ahead_days": ("Days ahead", "Jours d'avance"),
    "applies_from": ("Numbered so from", "Numérotation valable à partir du"),
    "format": ("Format", "Format"),
    "filters": ("Filters", "Filtres"),
    "idempotency_key": ("Idempotency key", "Clé d'idempotence"),
    # parts of a customer
    "gst_details": ("GST registrations", "Immatriculations GST"),
    "products_services": ("Products and services", "Produits et services"),
    "banking": ("Bank accounts", "Comptes bancaires"),
    "tds": ("TDS", "TDS"),
    "terms_conditions": ("Terms", "Conditions"),
    "gstin": ("GSTIN", "GSTIN"),
    "state": ("State", "Région (State)"),
    "registration_type": ("Type of registration", "Type d’immatriculation"),
    "hsn_sac": ("HSN or SAC", "HSN ou SAC"),
    "applicable": ("Tax is deducted at source", "Retenue à la source"),
    "section": ("Section", "Section"),
    "tan_number": ("TAN", "TAN"),
    "bank_name": ("Bank", "Banque"),
    "account_number": ("Account number", "Numéro de compte"),
    "ifsc": ("IFSC", "IFSC"),
    "iban": ("IBAN", "IBAN"),
    "branch": ("Branch", "Agence"),
    "primary": ("Main account", "Compte principal"),
}
