"""Takes orders: a Lambda handler behind an API Gateway, with its orders in DynamoDB.

    POST /orders        {"id": "1", "sku": "tea"}  201, or 409 if there is such an order
    GET  /orders/{id}                              200, or 404

An order is put under the condition that there is none of its id, so an event that is delivered
twice, or two clients at the same time, cannot overwrite one.
"""

import json
import os

import boto3
from botocore.exceptions import ClientError


def handler(event, context):
    route = event["requestContext"]["http"]
    if route["method"] == "POST" and route["path"] == "/orders":
        return place(json.loads(event["body"]))
    if route["method"] == "GET" and route["path"].startswith("/orders/"):
        return show(route["path"].removeprefix("/orders/"))
    return answer(404, {"error": "no such route"})


def place(order):
    item = {"id": order["id"], "sku": order["sku"]}
    try:
        table().put_item(Item=item, ConditionExpression="attribute_not_exists(id)")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return answer(409, {"error": "there is such an order"})
    return answer(201, item)


def show(order_id):
    item = table().get_item(Key={"id": order_id}, ConsistentRead=True).get("Item")
    return answer(200, item) if item else answer(404, {"error": "no such order"})


def table():
    return boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])


def answer(status, body):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }
