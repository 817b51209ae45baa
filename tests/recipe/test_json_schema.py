import json
from pathlib import Path

from asr.recipe.json_schema import recipe_json_schema


def test_every_key_is_described_and_closed():
    schema = recipe_json_schema()
    for name, section in {**schema["$defs"], "Recipe": schema}.items():
        assert section["additionalProperties"] is False, name
        for key, field in section["properties"].items():
            assert field.get("description"), f"{name}.{key}"


def test_kinds_are_alternatives():
    model = recipe_json_schema()["$defs"]["ModelSection"]["properties"]
    listeners = {"pyramid", "conv_blstm", "vgg_blstm", "conformer", "e_branchformer"}
    assert set(model["listener"]["anyOf"][0]["discriminator"]["mapping"]) == listeners


def test_the_shipped_schema_is_current():
    shipped = Path(__file__).resolve().parents[2] / "recipes" / "recipe.schema.json"
    current = json.loads(shipped.read_text(encoding="utf-8")) == json.loads(json.dumps(recipe_json_schema()))
    assert current, "run: python -m asr.recipe.json_schema > recipes/recipe.schema.json"
