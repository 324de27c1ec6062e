"""`/shops`: an admin sets them up; everyone may look. Their sequences are in `invoices/routes.py`."""

from flask import Response

from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.edge.blueprints import Blueprint
from finance.edge.conditions import asked_condition, tagged_reply
from finance.edge.failures import fails
from finance.edge.openapi import ETAG
from finance.edge.replies import reply
from finance.errors import PreconditionFailed
from finance.shops import examples, service
from finance.shops.claims import ShopBusy
from finance.shops.model import Settings
from finance.shops.schemas import ShopListSchema, ShopSchema, ShopSettingsSchema, dump_shop, shop_slug
from finance.shops.service import ShopDamaged, ShopHistoryFull, ShopNotFound

blueprint = Blueprint("shops", __name__, url_prefix="/api/v1/shops", description="Shops and how they number invoices")


@blueprint.route("/<shop>", methods=["PUT"])
@requires("admin")
@fails(ShopHistoryFull, ShopBusy, ShopDamaged, PreconditionFailed)
@blueprint.arguments(ShopSettingsSchema(), example=examples.SETTINGS)
@blueprint.response(200, ShopSchema(), example=examples.SHOP, headers=ETAG)
@blueprint.alt_response(201, schema=ShopSchema(), example=examples.SHOP, description="A new shop", headers=ETAG)
def save_shop(posted: Settings, shop: str) -> Response:
    """Make or change a shop; a series that has numbers keeps its format until its period ends

    Where the numbers begin again at other days than before, `applies_from` says from which day on; no period that has
    numbers is cut in two. A format is refused whose numbers another shop, or the other kind of documents, writes.
    """
    document, is_new = service.put_shop(
        parts().db, asked(), shop=shop_slug(shop), posted=posted, condition=asked_condition(dump_shop)
    )
    return tagged_reply(dump_shop(document), status=201 if is_new else 200)


@blueprint.route("/<shop>", methods=["GET"])
@requires("client")
@fails(ShopNotFound)
@blueprint.response(200, ShopSchema(), example=examples.SHOP, headers=ETAG)
def get_shop(shop: str) -> Response:
    """Show a shop"""
    return tagged_reply(dump_shop(service.get_readable_shop(parts().db, tenant=caller().tenant, shop=shop.lower())))


@blueprint.route("", methods=["GET"])
@requires("client")
@blueprint.response(200, ShopListSchema(), example=examples.SHOPS)
def list_shops() -> Response:
    """List the shops by name"""
    return reply({"data": [dump_shop(shop) for shop in service.list_shops(parts().db, tenant=caller().tenant)]})
