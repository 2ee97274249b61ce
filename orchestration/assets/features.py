import dagster as dg

feature_assets: list[dg.AssetsDefinition] = []
