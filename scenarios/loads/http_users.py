"""HTTP: the plainest load there is. `locust -f http_users.py --host http://127.0.0.1:8080` too."""

from locust import FastHttpUser, constant, task


class Caller(FastHttpUser):
    wait_time = constant(1)

    @task
    def look(self):
        self.client.get("/", name="look")
