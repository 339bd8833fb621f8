"""The dashboards as code: `python -m deploy.grafana.source` writes them as JSON beside this package, where Grafana finds them."""
