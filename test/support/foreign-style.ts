/** What promtool says of names that others have given, and that queries and dashboards know. */
export const foreignStyle =
  /^nodejs_|^namedprocess_scrape_|^(container|machine|cadvisor)_|^node_(memory|netstat)_\w+ metric names should be written in 'snake_case'|^node_entropy_\w+ use base unit/;
