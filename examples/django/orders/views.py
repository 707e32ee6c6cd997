from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from orders.kafka import NotSent, send
from orders.models import Order


@csrf_exempt
def place_order(request: HttpRequest) -> HttpResponse:
    """An order is in the database and in Kafka, or in neither of them."""
    try:
        with transaction.atomic():
            order = Order.objects.create(customer=request.POST["customer"], item=request.POST["item"])
            send(order)
    except NotSent:
        return HttpResponse("try again later", status=503)
    return HttpResponse(status=201)
