from django.core.management.base import BaseCommand

from orders.kafka import bill


class Command(BaseCommand):
    help = "Mark orders as billed, as they come."

    def handle(self, *_: object, **__: object) -> None:
        while True:
            bill(100)
