import json
def render(results):
    return json.dumps(results, indent=1)
