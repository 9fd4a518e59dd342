import { AgentError } from "../errors.ts";
import { standIn } from "../stand-in.ts";

/**
 * Stands in for docker-modem's way to engines by SSH, which the agent does not offer: the client for it is some thirty modules, a
 * WebAssembly memory of 16 MiB and a binding, in a process with all rights. To be imported before docker-modem is.
 */
function refuse(): never {
  throw new AgentError("bad_request", "an engine behind ssh:// cannot be asked");
}

standIn(require.resolve("docker-modem/lib/ssh"), refuse);
