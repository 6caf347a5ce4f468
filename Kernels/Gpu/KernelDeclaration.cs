using System.Reflection;

namespace GlowGpu.Kernels.Gpu;

/// <summary>A kernel of the backend as it is launched: what can be said of it without a device.</summary>
/// <param name="Method">the kernel, its type arguments filled in</param>
/// <param name="Threads">threads of a group, at most</param>
/// <param name="DynamicSharedBytes">shared memory that a launch asks for beyond what the kernel itself declares,
/// bytes a group</param>
internal sealed record KernelDeclaration(MethodInfo Method, int Threads, int DynamicSharedBytes)
{
    /// <summary>Class, method and type arguments: unique among the kernels of a backend.</summary>
    public string Name => Method.IsGenericMethod
        ? $"{ShortName(Method.DeclaringType!)}.{Method.Name}<{string.Join(", ", Method.GetGenericArguments().Select(ShortName))}>"
        : $"{ShortName(Method.DeclaringType!)}.{Method.Name}";

    /// <summary>What the method and the structs that it is made with promise.</summary>
    public IReadOnlyList<string> Promises
    {
        get
        {
            Type[] made = Method.IsGenericMethod ? Method.GetGenericArguments() : [];
            return
            [
                .. new MemberInfo[] { Method }.Concat(made)
                    .SelectMany(static member => member.GetCustomAttributes<PromisesAttribute>())
                    .Where(promise => promise.For is null || made.Contains(promise.For))
                    .SelectMany(static promise => promise.Instructions).Distinct(),
            ];
        }
    }

    private static string ShortName(Type type) => type.IsGenericType
        ? $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", type.GetGenericArguments().Select(ShortName))}>"
        : type.Name;
}
