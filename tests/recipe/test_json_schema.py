from asr.recipe.json_schema import recipe_json_schema


def test_every_key_is_described_and_closed():
    schema = recipe_json_schema()
    for name, section in {**schema["$defs"], "Recipe": schema}.items():
        assert section["additionalProperties"] is False, name
        for key, field in section["properties"].items():
            assert field.get("description"), f"{name}.{key}"


def test_kinds_are_alternatives():
    model = recipe_json_schema()["$defs"]["ModelSection"]["properties"]
    assert set(model["listener"]["discriminator"]["mapping"]) == {"pyramid", "conv_blstm"}
