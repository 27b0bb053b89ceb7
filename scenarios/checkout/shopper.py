"""Shoppers, as anybody would write them: `locust -f shopper.py --host http://…` works too."""

import random
import uuid

from locust import FastHttpUser, between, task


class Shopper(FastHttpUser):
    wait_time = between(1, 3)

    @task(7)
    def browse(self):
        self.client.get("/products", name="browse")

    @task(2)
    def add_to_basket(self):
        basket = {"sku": random.randint(1, 100), "quantity": random.randint(1, 3)}
        self.client.post("/basket", json=basket, name="basket")

    @task(1)
    def pay(self):
        order = {"sku": random.randint(1, 100), "quantity": 1}
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        with self.client.post(
            "/pay", json=order, headers=headers, name="pay", catch_response=True
        ) as response:
            if response.status_code == 201 and "id" not in response.json():
                response.failure("paid, but got no order")
