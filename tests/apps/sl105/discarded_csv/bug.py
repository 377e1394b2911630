"""Addresses in a csv file that goes with its instance."""

import csv


def handler(event, context):
    with open("signups.csv", "a", newline="") as file:  # BUG: SL105
        csv.writer(file).writerow([event["name"]])
    return "thanks"
