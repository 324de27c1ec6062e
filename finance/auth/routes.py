"""`/keys`: an admin makes, lists and revokes the keys of their own tenant."""

from dataclasses import asdict

from flask import Response

from finance.auth import examples, service
from finance.auth.guard import caller, requires
from finance.auth.model import Role
from finance.auth.schemas import CreatedKeySchema, KeyListSchema, NewKeySchema, dump_key
from finance.auth.service import ApiKeyAlreadyShown, ApiKeyNotFound
from finance.context import parts
from finance.edge.blueprints import Blueprint
from finance.edge.failures import fails
from finance.edge.headers import idempotency_key
from finance.edge.replies import reply

blueprint = Blueprint("keys", __name__, url_prefix="/api/v1/keys", description="API keys of your tenant")


@blueprint.route("", methods=["GET"])
@requires("admin")
@blueprint.response(200, KeyListSchema(), example=examples.KEYS)
def list_keys() -> Response:
    """List the keys, newest first"""
    documents = service.list_keys(parts().db, tenant=caller().tenant)
    return reply({"data": [dump_key(document) for document in documents]})


@blueprint.route("", methods=["POST"])
@requires("admin")
@fails(ApiKeyAlreadyShown)
@blueprint.arguments(NewKeySchema(), example=examples.NEW_KEY)
@blueprint.response(201, CreatedKeySchema(), example=examples.CREATED_KEY)
def create_key(posted: dict[str, Role]) -> Response:
    """Make a key; it is shown in this answer and never again"""
    new_key = service.create_key(
        parts().db, tenant=caller().tenant, role=posted["role"], now=parts().clock(), idempotency_key=idempotency_key()
    )
    return reply(asdict(new_key), status=201)


@blueprint.route("/<key_id>", methods=["DELETE"])
@requires("admin")
@fails(ApiKeyNotFound)
@blueprint.response(204)
def revoke_key(key_id: str) -> Response:
    """Revoke a key; within five seconds no worker takes it any more"""
    service.revoke_key(parts().db, tenant=caller().tenant, key_id=key_id, now=parts().clock())
    return Response(status=204)
