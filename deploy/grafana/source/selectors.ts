// Matchers of the variables that dashboards have; each holds for what is below the one before.
export const host = `instance=~"$instance"`;
export const container = `${host},container=~"$container"`;
export const program = `${container},program=~"$program"`;
