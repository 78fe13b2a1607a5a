/** Plugwork starts threads and loads clients of services when they are needed: it stays in node_modules, unbundled. */
export default { serverExternalPackages: ['plugwork'] }
