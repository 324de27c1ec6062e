"""`/keys`: an admin makes, lists and revokes the keys of their own tenant."""

from flask import Response

from finance.auth import service
from finance.auth.guard import asked, caller, requires
from finance.auth.model import WantedKey
from finance.auth.schemas import CreatedKeySchema, KeyListSchema, NewKeySchema, dump_key, dump_new_key
from finance.context import parts
from finance.edge.blueprints import Blueprint
from finance.edge.replies import reply

blueprint = Blueprint("keys", __name__, url_prefix="/api/v1/keys", description="API keys of your tenant")


@blueprint.route("", methods=["GET"])
@requires("admin")
@blueprint.response(200, KeyListSchema())
def list_keys() -> Response:
    """List the keys, newest first"""
    documents = service.list_keys(parts().db, tenant=caller().tenant)
    return reply({"data": [dump_key(document) for document in documents]})


@blueprint.route("", methods=["POST"])
@requires("admin")
@blueprint.arguments(NewKeySchema())
@blueprint.response(201, CreatedKeySchema())
def create_key(wanted: WantedKey) -> Response:
    """Make a key; it is shown in this answer and never again"""
    return reply(dump_new_key(service.create_key(parts().db, asked(), wanted)), status=201)


@blueprint.route("/<key_id>", methods=["DELETE"])
@requires("admin")
@blueprint.response(204)
def revoke_key(key_id: str) -> Response:
    """Revoke a key; within five seconds no worker takes it any more"""
    service.revoke_key(parts().db, asked(), key_id=key_id)
    return Response(status=204)
