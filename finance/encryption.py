"""Personal data, encrypted field by field before it is sent to MongoDB.

Each tenant has a data key of its own, kept in the collection `encryption_keys` and encrypted there by the master key
from FINANCE_ENCRYPTION_KEY. A master key is known by a digest of itself, so that two can be in use while one takes the
place of the other, and so that a wrong one is told from a damaged text.
"""

import hashlib
import time
from collections.abc import Sequence

from bson.binary import UUID_SUBTYPE, Binary
from bson.codec_options import CodecOptions
from pymongo.encryption import Algorithm, ClientEncryption  # type: ignore[attr-defined]
from pymongo.errors import DuplicateKeyError, EncryptionError

from finance.database import Db, Document
from finance.errors import Unavailable
from finance.said import said

KEY_VAULT = "encryption_keys"
CIPHERTEXT_SUBTYPE = 6
DATA_KEY_CACHE_MS = 10 * 60 * 1000
READ_BACK_ATTEMPTS_MAX = 50
READ_BACK_PAUSE_S = 0.02


class EncryptionNotConfigured(Unavailable):
    detail_default = said(
        "This needs encrypted fields (tax and bank numbers), and this server has no "
        "FINANCE_ENCRYPTION_KEY. Nothing was stored."
    )


class EncryptionKeyWrong(Unavailable):
    detail_default = said(
        "This server's FINANCE_ENCRYPTION_KEY is not the one that the stored tax and bank numbers were encrypted with."
    )


class FieldCipher:
    """Encrypts and decrypts texts. Without master keys it exists, and refuses both: see `is_configured`."""

    def __init__(self, db: Db, *, master_keys: Sequence[bytes]) -> None:
        self._db = db
        self._providers = {_provider_name(key): {"key": key} for key in master_keys}
        self._client_encryption: ClientEncryption[Document] | None = None
        self._data_key_ids: dict[str, Binary] = {}

    @property
    def is_configured(self) -> bool:
        return bool(self._providers)

    def require_configured(self) -> None:
        if not self.is_configured:
            raise EncryptionNotConfigured

    def encrypt(self, text: str, *, tenant: str, searchable: bool) -> Binary:
        """Return the ciphertext of `text`; of equal texts of a tenant it is equal where `searchable`.

        Raises EncryptionNotConfigured, EncryptionKeyWrong.
        """
        algorithm = (
            Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Deterministic
            if searchable
            else Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Random
        )
        encryption = self._encryption()
        try:
            return encryption.encrypt(text, algorithm, key_id=self._data_key_id(tenant))
        except EncryptionError as error:
            raise _refusal(error) from error

    def decrypt(self, ciphertext: Binary) -> str:
        """Return the text of a ciphertext. Raises EncryptionNotConfigured, EncryptionKeyWrong."""
        encryption = self._encryption()
        try:
            return str(encryption.decrypt(ciphertext))
        except EncryptionError as error:
            raise _refusal(error) from error

    def rewrap_data_keys(self) -> int:
        """Encrypt every data key that another master key protects with the first one, and return how many there were.

        No document changes: it is the data keys that documents are encrypted with. It can be repeated at any time.
        """
        provider = next(iter(self._providers), None)
        encryption = self._encryption()
        try:
            result = encryption.rewrap_many_data_key({"masterKey.provider": {"$ne": provider}}, provider=provider)
        except EncryptionError as error:
            raise _refusal(error) from error
        return result.bulk_write_result.modified_count if result.bulk_write_result else 0

    def _encryption(self) -> ClientEncryption[Document]:
        self.require_configured()
        if self._client_encryption is None:
            self._client_encryption = ClientEncryption(
                self._providers,
                f"{self._db.name}.{KEY_VAULT}",
                self._db.client,
                CodecOptions(),
                key_expiration_ms=DATA_KEY_CACHE_MS,
            )
        return self._client_encryption

    def _data_key_id(self, tenant: str) -> Binary:
        if tenant not in self._data_key_ids:
            self._data_key_ids[tenant] = self._find_or_create_data_key(f"tenant:{tenant}")
        return self._data_key_ids[tenant]

    def _find_or_create_data_key(self, name: str) -> Binary:
        """Return the id of the one data key of this name; a unique index decides who makes it."""
        encryption = self._encryption()
        for _attempt in range(READ_BACK_ATTEMPTS_MAX):
            found = encryption.get_key_by_alt_name(name)
            if found is not None:
                return Binary(found["_id"], subtype=UUID_SUBTYPE)
            try:
                return encryption.create_data_key(next(iter(self._providers)), key_alt_names=[name])
            except EncryptionError as error:
                if not isinstance(error.cause, DuplicateKeyError):
                    raise
            time.sleep(READ_BACK_PAUSE_S)  # another process made it just now: wait until a majority has it
        raise Unavailable


def is_ciphertext(value: object) -> bool:
    return isinstance(value, Binary) and value.subtype == CIPHERTEXT_SUBTYPE


def _provider_name(master_key: bytes) -> str:
    return f"local:{hashlib.sha256(master_key).hexdigest()[:16]}"


def _refusal(error: EncryptionError) -> Exception:
    """Return EncryptionKeyWrong where it is the master key; anything else, such as no connection, stays what it is."""
    return EncryptionKeyWrong() if "KMS provider" in str(error) else error
