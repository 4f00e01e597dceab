// The parquet sink keeps the contract of all sinks.
import { parquetSink } from '../../../../services/worker/src/sinks/parquet.ts';
import { describeSink } from './sink-conformance.ts';

describeSink(parquetSink);
