"""Two customers that may be one: those that share a PAN or a GSTIN, which active customers of a tenant should not."""

from collections.abc import Mapping

from finance.customers import store
from finance.customers.model import Book, Customer, form_of, identities_of
from finance.errors import Conflict, FieldError
from finance.said import said


class PossibleDuplicateCustomer(Conflict):
    detail_default = said("Another active customer has the same PAN or GSTIN.")
    extra_members = {"duplicate_of": "The code of the customer that has it."}

    @classmethod
    def of(cls, other: Customer, identities: Mapping[str, str]) -> "PossibleDuplicateCustomer":
        """Return the refusal that names the other customer's code and points to what the two share."""
        code, shared = other["customer_code"], identities_of(form_of(other))
        return cls(
            said(
                "Customer {code} has the same PAN or GSTIN. If this is another customer all the same, "
                "send it again with ?confirm_duplicate=true.",
                code=code,
            ),
            errors=[
                FieldError(said("is that of customer {code}.", code=code), pointer=pointer)
                for identity, pointer in identities.items()
                if identity in shared
            ],
            extra={"duplicate_of": code},
        )


def require_unlike_others(book: Book, *, tenant: str, identities: Mapping[str, str], other_than: str | None) -> None:
    """Raise PossibleDuplicateCustomer where an active customer, not of the code `other_than`, has one of these."""
    other = store.find_active_with_identity(book, tenant=tenant, identities=identities, other_than=other_than)
    if other is not None:
        raise PossibleDuplicateCustomer.of(other, identities)
