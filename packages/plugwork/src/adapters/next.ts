export {
  nextHandlers,
  type AdapterOptions,
  type Mountable,
  type NextHandler,
  type NextMethod,
} from '@plugwork/sdk/next'
