using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Kernels.Gpu.TensorCore;

namespace GlowGpu.Bench.Gpu;

/// <summary>
/// The matrix product of our coupling networks on its own, without their epilogues, ready to be queued.
/// </summary>
internal abstract class OurProduct
{
    /// <summary>
    /// The product of these operands in the precision of the backend; its factors are brought into form now, as the
    /// network does once a step.
    /// </summary>
    public static OurProduct Of(GpuBackend backend, ProductShape shape, ProductOperands operands) =>
        backend.Precision switch
        {
            Precision.Bf16 => new OnTensorCores<BFloat16, BFloat16Outer>(backend, shape, operands),
            Precision.Tf32 => new OnTensorCores<TensorFloat32, TensorFloat32Outer>(backend, shape, operands),
            _ => new InSingle(backend, shape, operands),
        };

    /// <summary>Queues c = op(a)·op(b).</summary>
    public abstract void Queue();

    /// <summary>Queues what brings the last result to where the operands expect it.</summary>
    public virtual void Finish()
    {
    }

    private sealed class InSingle(GpuBackend backend, ProductShape shape, ProductOperands operands) : OurProduct
    {
        private readonly GpuContext gpu = backend.Gpu;

        public override void Queue()
        {
            Matrix left = Of(operands.A, shape.ACols), right = Of(operands.B, shape.BCols),
                result = Of(operands.C, shape.N);
            if (shape.TransposeA)
            {
                (Matrix slices, int count) = gpu.Gemm.TransposedSlices(shape.M, shape.N, shape.K, left, right);
                gpu.Columns.Slices(slices, count, shape.M, shape.N, result);
            }
            else if (shape.TransposeB)
            {
                gpu.Gemm.MultiplyTransposed(shape.M, shape.N, shape.K, left, right, result);
            }
            else
            {
                gpu.Gemm.Multiply(shape.M, shape.N, shape.K, left, right, result);
            }
        }

        private Matrix Of(View view, int cols) => gpu.Matrix(view).Window(0, cols);
    }

    /// <summary>
    /// As the network holds them: the factors rounded, rows filled up, and of a product over the inner dimension both
    /// with that dimension in their rows.
    /// </summary>
    private sealed class OnTensorCores<TFormat, TOuter> : OurProduct
        where TFormat : struct, ITensorFormat
        where TOuter : struct, IOuterFormat
    {
        private readonly GpuBackend backend;
        private readonly GpuContext gpu;
        private readonly ProductShape shape;
        private readonly ProductOperands operands;
        private readonly TensorGemm<TFormat, TOuter> gemm;
        private readonly TensorSliceSums sums;
        private readonly Operand left, right;
        private readonly View padded;
        private readonly Matrix zeros;

        public OnTensorCores(GpuBackend backend, ProductShape shape, ProductOperands operands)
        {
            (this.backend, gpu, this.shape, this.operands) = (backend, backend.Gpu, shape, operands);
            gemm = new(gpu);
            sums = new(gpu);
            // No scales: exp(3·0) = 1.
            zeros = gpu.Matrix(operands.Memory.Elements(Math.Max(shape.ACols, shape.BCols), bf16: false));
            left = Write(operands.A, shape.ARows, shape.ACols, transposed: false);
            right = Write(operands.B, shape.BRows, shape.BCols, transposed: !shape.TransposeA && !shape.TransposeB);
            padded = shape.TransposeA ? operands.C : operands.Memory.Elements((long)shape.M * Operand.Padded(shape.N),
                bf16: false);
        }

        public override void Queue()
        {
            if (shape.TransposeA)
            {
                (Matrix slices, int count) = gemm.OuterSlices(shape.M, shape.N, shape.K, left, right);
                sums.Scaled(slices, count, shape.M, shape.N, zeros, gpu.Matrix(operands.C).Window(0, shape.N));
                return;
            }
            gemm.Multiply(shape.M, shape.N, shape.K, left, right,
                gpu.Matrix(padded).Window(0, Operand.Padded(shape.N)));
        }

        public override void Finish()
        {
            if (shape.TransposeA) return;
            backend.Copy(
                View.Dense(padded.Buffer, padded.Offset, shape.M, Operand.Padded(shape.N)).Columns(0, shape.N),
                View.Dense(operands.C.Buffer, operands.C.Offset, shape.M, shape.N));
        }

        private Operand Write(View source, int rows, int cols, bool transposed)
        {
            (int targetRows, int targetCols) = transposed ? (cols, rows) : (rows, cols);
            // The rows of the second factor are columns of the result, which the kernels take in units.
            targetRows = Operand.Padded(targetRows);
            View memory = operands.Memory.Elements(Operand.Length<TFormat>(targetRows, targetCols) + Operand.Slack,
                bf16: false);
            Operand target = Operand.At<TFormat>(Operand.Align(gpu.Matrix(memory)), 0, targetRows, targetCols);
            new OperandWriter<TFormat>(gpu).Folded(rows, cols, gpu.Matrix(source), zeros, transposed, target);
            return target;
        }
    }
}
