/** Whether a host, as addresses and URLs name it, is this machine to itself: nobody else reaches it or hears it. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
