"""A bar chart as SVG, by hand: each scenario relative to its best peer, shorter is better; readable in light and dark."""

from html import escape

COLOURS = {"sluice": "#0f9d76", "haproxy": "#5b8def", "nginx": "#9a6fd0", "envoy": "#d0679d", "caddy": "#d98e32",
           "sluice-dns": "#0f9d76", "knotd": "#5b8def", "gdnsd": "#9a6fd0"}
WIDTH, LEFT, RIGHT, BAR, GAP, LIMIT = 860, 230, 60, 13, 16, 3.0

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .small { font-size: 11px } .axis { stroke: #8c959f; stroke-width: 1 }
  .target { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) { text { fill: #d1d7e0 } .axis { stroke: #656c76 } .target { stroke: #ff7b72 } }
"""


def drawn(rows):
    """`rows`: (scenario, label -> ratio, at most or None, champions)."""
    scale = (WIDTH - LEFT - RIGHT) / LIMIT
    body, y = [], 46
    for name, values, at_most, champions in rows:
        body.append(f'<text class="title" x="10" y="{y + 10}">{escape(name)}</text>')
        y += BAR + 3
        top = y
        for label, ratio in sorted(values.items(), key=lambda pair: pair[1]):
            width = min(ratio, LIMIT) * scale
            colour = COLOURS[label.split(",")[0]]
            opacity = 1 if label in champions or not label.startswith("sluice") else 0.5
            body.append(f'<text class="small" x="{LEFT - 8}" y="{y + 10}" text-anchor="end">{escape(label)}</text>')
            body.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{colour}" fill-opacity="{opacity}"/>')
            more = " →" if ratio > LIMIT else ""
            body.append(f'<text class="small" x="{LEFT + width + 5:.1f}" y="{y + 10}">{ratio:.2f}{more}</text>')
            y += BAR + 3
        if at_most:
            x = LEFT + at_most * scale
            body.append(f'<line class="target" x1="{x:.1f}" y1="{top - 3}" x2="{x:.1f}" y2="{y}"/>')
        y += GAP
    axis = f'<line class="axis" x1="{LEFT + scale:.1f}" y1="34" x2="{LEFT + scale:.1f}" y2="{y - GAP}"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">'
        f"<title>Each scenario relative to its best peer; shorter is better</title><style>{STYLE}</style>"
        f'<text class="title" x="10" y="18">Relative to the best peer = 1; shorter is better. Dashed: what Sluice may take at most.</text>'
        + axis + "".join(body) + "</svg>\n")
