"""From an exemplar to its trace, from a trace to its lines, from a line to its trace: each way names a source."""

from taskservice_observability import datasources


def test_every_way_leads_to_a_provisioned_source() -> None:
    sources = {source["uid"]: source["jsonData"] for source in datasources.provisioning()["datasources"]}
    assert set(sources) == {datasources.PROMETHEUS, datasources.LOKI, datasources.JAEGER}
    (exemplar,) = sources[datasources.PROMETHEUS]["exemplarTraceIdDestinations"]
    assert exemplar == {"name": "trace_id", "datasourceUid": datasources.JAEGER}
    (line,) = sources[datasources.LOKI]["derivedFields"]
    assert (line["matcherRegex"], line["datasourceUid"]) == ("trace_id", datasources.JAEGER)
    assert sources[datasources.JAEGER]["tracesToLogsV2"]["datasourceUid"] == datasources.LOKI


def test_addresses_follow_the_namespace() -> None:
    urls = [source["url"] for source in datasources.provisioning("monitoring")["datasources"]]
    assert all(".monitoring.svc:" in url for url in urls)
