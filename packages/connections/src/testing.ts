/** `@plugwork/connections/testing`: the contract suite for those who keep connections in a database of their own. */
export { describeConnectionStore, type OpenedConnectionStore } from './store/connection-store-contract.ts'
