"""The checkout API: look at products, price a basket, pay once, read the order back."""

from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shop.breaker import Open
from shop.catalogue import Catalogue
from shop.orders import Orders, Unavailable
from shop.settings import Settings


def make_app(settings: Settings) -> Starlette:
    orders = Orders(settings)
    catalogue = Catalogue(settings, orders)

    async def health(request: Request) -> Response:
        return Response()

    async def products(request: Request) -> Response:
        return JSONResponse(await catalogue.all())

    async def basket(request: Request) -> Response:
        wanted = await request.json()
        product = await catalogue.one(int(wanted["sku"]))
        return JSONResponse({"total": product["cents"] * int(wanted["quantity"])})

    async def pay(request: Request) -> Response:
        wanted = await request.json()
        key = request.headers["idempotency-key"]
        order = await orders.pay(key, int(wanted["sku"]), int(wanted["quantity"]))
        return JSONResponse(order, status_code=201)

    async def order(request: Request) -> Response:
        found = await orders.read(int(request.path_params["id"]))
        return JSONResponse(found) if found else JSONResponse({"error": "no order"}, 404)

    async def unavailable(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 503)

    @asynccontextmanager
    async def lifespan(app: Starlette):
        await orders.open()
        yield
        await catalogue.close()
        await orders.close()

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/products", products),
            Route("/basket", basket, methods=["POST"]),
            Route("/pay", pay, methods=["POST"]),
            Route("/orders/{id:int}", order),
        ],
        exception_handlers={Unavailable: unavailable, Open: unavailable},
        lifespan=lifespan,
    )
