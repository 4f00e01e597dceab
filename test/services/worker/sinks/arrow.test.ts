// The arrow sink keeps the contract of all sinks.
import { arrowSink } from '../../../../services/worker/src/sinks/arrow.ts';
import { describeSink } from './sink-conformance.ts';

describeSink(arrowSink);
