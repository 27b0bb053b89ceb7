from locust import HttpUser, task


class Caller(HttpUser):
    @task
    def ask(self):
        self.client.get("/", name="ask")
