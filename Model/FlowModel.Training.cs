using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model;

/// <summary>What a training step gave.</summary>
/// <param name="Batch">loss and what it is made of; not finite when the parameters or the loss are not</param>
/// <param name="GradientNorm">norm of the gradient before clipping; not finite likewise</param>
/// <param name="Updated">whether the optimizer moved the parameters; otherwise nothing has changed</param>
public readonly record struct TrainingResult(BatchResult Batch, double GradientNorm, bool Updated);

public abstract partial class FlowModel
{
    private readonly TrainingPass training;

    /// <summary>
    /// The work of a training step. What changes from step to step (images, labels, noise, learning rate,
    /// corrections) is written to device memory before it, so that the queued work is the same every time.
    /// </summary>
    private sealed class TrainingPass : IDisposable
    {
        // Where things lie in the memory that is written before a step.
        private const int DialsAt = 0, NoiseAt = 4, Constants = NoiseAt + DequantizeNoise.Length;

        private readonly FlowModel model;
        private readonly Replay<Key> replay;
        private readonly IBuffer constants;
        private readonly Action work;
        private Tensor bytes = null!;
        private View labels;
        private Noise noise;
        private Tape tape = null!;
        private double classWeight, clipNorm;
        private IOptimizer optimizer = null!;

        /// <summary>What is fixed in a recorded step.</summary>
        private readonly record struct Key(View Bytes, View Labels, View Report, Dequantization Noise,
            MemoryMode Memory,
            double ClassWeight, double ClipNorm, IOptimizer Optimizer);

        public TrainingPass(FlowModel model)
        {
            this.model = model;
            replay = new Replay<Key>(model.Device);
            constants = model.Device.Backend.Allocate(Constants);
            work = Queue;
        }

        private View ConstantView => View.Dense(constants, 0, 1, Constants);

        /// <summary>Does one step.</summary>
        public TrainingResult Run(
            Batch batch, Noise noise, Tape tape, double classWeight, IOptimizer optimizer, double rate, double clipNorm)
        {
            (this.noise, this.tape, this.classWeight, this.clipNorm, this.optimizer) = (noise, tape, classWeight,
                clipNorm, optimizer);
            model.Begin(batch.Count);
            labels = model.RentLabels(batch.Labels, batch.Count);
            bytes = model.Upload(batch.Bytes, batch.Count);
            PassReport report = model.report;
            report.Rent(batch.Count, model.Classifies(batch.Labels));
            Span<float> values = stackalloc float[Constants];
            values.Clear();
            optimizer.SetDials(rate, values[DialsAt..]);
            DequantizeNoise.Set(values[NoiseAt..], noise.Key, noise.Counter);
            ConstantView.Write(values);
            replay.Run(new Key(bytes.Data, labels, report.Memory, noise.Mode, tape.Mode, classWeight, clipNorm,
                optimizer), work);
            // Not by the work itself, which may have to be queued once more after it could not be recorded.
            bytes.ReleaseData();
            BatchResult result = model.ReadReport(batch.Labels, classWeight, Kept(ref model.trainingNats, batch.Count));
            model.Device.Arena.Return(labels);
            model.Device.Arena.EndStep();
            if (report.Updated) optimizer.Accept();
            return new TrainingResult(result, double.IsNaN(report.Shared[0]) ? double.NaN : report.GradientNorm,
                report.Updated);
        }

        public void Dispose()
        {
            replay.Dispose();
            constants.Dispose();
        }

        private void Queue()
        {
            // Also after a step that changed nothing: a recorded step prepares whatever the parameters are when it
            // runs.
            model.flow.Invalidate();
            PassReport report = model.report;
            Tensor x = model.Dequantize(bytes, noise, ConstantView.Columns(NoiseAt, DequantizeNoise.Length));
            model.Pass(x, labels, tape, classWeight, null);
            IOptimizerStep step = model.Device.Backend.OptimizerStep;
            step.SumOfSquares(model.Parameters.Gradients, report.Squares);
            step.Judge(report.Loss, report.Squares, clipNorm, report.Scale);
            model.flow.AcceptStatistics(report.Scale);
            optimizer.Queue(new OptimizerControl(report.Scale,
                ConstantView.Columns(DialsAt, OptimizerControl.DialCount)));
        }
    }
}
