"""Reports for people: an audit as one HTML page with plots drawn as inline SVG."""
