"""A Lambda handler that makes AWS clients."""

import boto3

s3 = boto3.client("s3", region_name="eu-west-1")


def handler(event, context):
    table = boto3.resource("dynamodb", region_name="eu-west-1").Table("orders")
    return [table.name, s3.meta.region_name, context.aws_request_id]
